"""What can go wrong between an image and its similarity, each by its name."""

from rating.errors import RatingError


class CCIPError(RatingError):
    """The base of every error of this package: the text names the thing and the remedy."""


class ContractError(CCIPError):
    """A folder or a net that is not what the CCIP contract says; the text names the difference."""


class MissingFileError(ContractError):
    """A file that a command or the contract needs is not there; the text names it."""

    exit_code = 2


class ImageError(CCIPError):
    """A file that is no image, a damaged one, or one that cannot be brought to RGB; the text names the file."""


class FeatureError(CCIPError):
    """Feature vectors that have no direction: zero, NaN or infinite."""


class MixedEncodersError(CCIPError):
    """Features, thresholds or scores of different encoders that were to be compared."""


class SuiteError(CCIPError):
    """A suite that cannot be scored, or scores of different suites that were to be compared."""


class ReportError(CCIPError):
    """A file that holds no score, or a damaged one."""


class CacheError(CCIPError):
    """An embedding cache that cannot be read or written."""


class CalibrationError(CCIPError):
    """Labelled images from which no threshold can be learned."""
