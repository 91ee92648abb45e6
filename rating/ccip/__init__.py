"""CCIP: does a checkpoint draw this character? Encoders, scores of checkpoints, their comparison (docs/ccip.md).

Importing this loads numpy and Pillow only; onnxruntime is loaded where a net is opened.
"""

from rating.ccip.calibration import Calibration, calibrate
from rating.ccip.comparing import PairedDifference, compare
from rating.ccip.encoder import CCIPEncoder
from rating.ccip.errors import (
    CacheError,
    CalibrationError,
    CCIPError,
    ContractError,
    FeatureError,
    ImageError,
    MissingFileError,
    MixedEncodersError,
    ReportError,
    SuiteError,
)
from rating.ccip.features import Features
from rating.ccip.folder import write_manifest
from rating.ccip.intervals import Estimate
from rating.ccip.nets import Contract
from rating.ccip.pictures import ImageSource
from rating.ccip.preprocess import Preprocess
from rating.ccip.report import (
    CharacterScore,
    CheckpointScore,
    Duplicate,
    ImageScore,
    Leak,
    Missing,
    read_score,
    write_score,
)
from rating.ccip.scoring import score
from rating.ccip.suite import Key, Suite, SuiteCharacter, read_suite

__all__ = [
    "CCIPEncoder",
    "CCIPError",
    "CacheError",
    "Calibration",
    "CalibrationError",
    "CharacterScore",
    "CheckpointScore",
    "Contract",
    "ContractError",
    "Duplicate",
    "Estimate",
    "FeatureError",
    "Features",
    "ImageError",
    "ImageScore",
    "ImageSource",
    "Key",
    "Leak",
    "Missing",
    "MissingFileError",
    "MixedEncodersError",
    "PairedDifference",
    "Preprocess",
    "ReportError",
    "Suite",
    "SuiteCharacter",
    "SuiteError",
    "calibrate",
    "compare",
    "read_score",
    "read_suite",
    "score",
    "write_manifest",
    "write_score",
]
