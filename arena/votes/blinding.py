"""The bytes of a seat's image as the booth serves them: the same size for all seats of a matchup (docs/votes.md)."""

import io

from PIL import Image

from arena.polls.models import Seat
from generation.imageio import blind_png


def seat_image(seat: Seat) -> bytes:
    """A PNG with nothing but pixels.

    Contestants may render at different sizes, and then a size would be a name: all images of such a matchup are
    brought to its smallest width and height, so each of them is encoded anew. Raises OSError for a missing file.
    """
    recipes = seat.matchup.seats.values_list("sample__contestant__recipe__width", "sample__contestant__recipe__height")
    return evened(seat) if len(set(recipes)) > 1 else read(seat)


def read(seat: Seat) -> bytes:
    """The blind copy as it is stored."""
    with seat.sample.blind.open("rb") as file:
        return file.read()


def evened(seat: Seat) -> bytes:
    """The image in the smallest width and height of its matchup.

    All of the matchup's images are prepared, whichever is asked for: a larger one takes longer, and the time would
    be a name.
    """
    contents = {other.pk: read(other) for other in seat.matchup.seats.select_related("sample")}
    sizes = [size_of(content) for content in contents.values()]
    width, height = min(width for width, _ in sizes), min(height for _, height in sizes)
    return {pk: resized(content, width, height) for pk, content in contents.items()}[seat.pk]


def size_of(content: bytes) -> tuple[int, int]:
    """Width and height."""
    with Image.open(io.BytesIO(content)) as image:
        return image.size


def resized(content: bytes, width: int, height: int) -> bytes:
    """The picture in another size, from its middle: scaled until both sides are covered, then cropped."""
    with Image.open(io.BytesIO(content)) as image:
        scale = max(width / image.width, height / image.height)
        scaled = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    left, top = (scaled.width - width) // 2, (scaled.height - height) // 2
    return blind_png(scaled.crop((left, top, left + width, top + height)))
