"""The images on the pages that name checkpoints: samples, what two of them differ in, references."""

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from arena.gallery.again import file_name
from arena.gallery.differences import GAINS, amplified, pixels, subtract
from arena.gallery.models import Character, Sample
from arena.gallery.withholding import is_withheld
from generation.imageio import blind_png

# Not for long, and in nobody's cache but the visitor's own: an image may have to be kept back.
SECONDS_KEPT = 600
WITHHELD = "this image is being judged just now, or was flagged"


@require_safe
@cache_control(private=True, max_age=SECONDS_KEPT)
def sample(request: HttpRequest, pk: int) -> FileResponse:
    """A sample's blind copy, unless it is kept back. Booth pages use other addresses, which name nothing."""
    return _png(_shown(pk).blind.name)


@require_safe
@cache_control(private=True, max_age=SECONDS_KEPT)
def archive(request: HttpRequest, pk: int) -> FileResponse:
    """The image as it was rendered, its manifest within, to be kept and rendered again."""
    found = _shown(pk)
    answer = _png(found.archive.name)
    answer["Content-Disposition"] = f'attachment; filename="{file_name(found)}"'
    return answer


@require_safe
@cache_control(private=True, max_age=SECONDS_KEPT)
def difference(request: HttpRequest, pk: int, other: int) -> HttpResponse:
    """The absolute difference of two samples of one prompt and seed, times `gain`; black where they are equal."""
    found = _shown(pk), _shown(other)
    gain = request.GET.get("gain", "1")
    alike = len({(one.prompt_id, one.seed) for one in found}) == 1
    subtracted = subtract(*map(pixels, found)) if alike else None
    if subtracted is None or gain not in map(str, GAINS):
        raise Http404(f"only samples of one prompt, seed and size are subtracted, times {GAINS}")
    return HttpResponse(blind_png(amplified(subtracted, int(gain))), content_type="image/png")


@require_safe
@cache_control(public=True, max_age=3600)
def reference(request: HttpRequest, name: str, number: int) -> FileResponse:
    """Reference image `number` (from 1) of a character."""
    references = get_object_or_404(Character, name=name).references
    if not 1 <= number <= len(references):
        raise Http404(f"{name} has {len(references)} reference images")
    return _png(references[number - 1])


def _shown(pk: int) -> Sample:
    """The sample; Http404 while it is kept back."""
    found = get_object_or_404(Sample, pk=pk)
    if is_withheld(found):
        raise Http404(WITHHELD)
    return found


def _png(name: str) -> FileResponse:
    try:
        return FileResponse(default_storage.open(name), content_type="image/png")
    except FileNotFoundError as error:
        raise Http404("the image is no longer in the store") from error
