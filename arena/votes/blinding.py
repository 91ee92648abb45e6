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
    with seat.sample.blind.open("rb") as file:
        content = file.read()
    recipes = seat.matchup.seats.values_list("sample__contestant__recipe__width", "sample__contestant__recipe__height")
    if len(set(recipes)) < 2:
        return content
    return resized(content, *shared_size(seat))


def shared_size(seat: Seat) -> tuple[int, int]:
    """The smallest width and the smallest height among the images of the matchup."""
    sizes = []
    for other in seat.matchup.seats.select_related("sample"):
        with other.sample.blind.open("rb") as file, Image.open(file) as image:
            sizes.append(image.size)
    widths, heights = zip(*sizes, strict=True)
    return min(widths), min(heights)


def resized(content: bytes, width: int, height: int) -> bytes:
    """The picture in another size, from its middle: scaled until both sides are covered, then cropped."""
    with Image.open(io.BytesIO(content)) as image:
        scale = max(width / image.width, height / image.height)
        scaled = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    left, top = (scaled.width - width) // 2, (scaled.height - height) // 2
    return blind_png(scaled.crop((left, top, left + width, top + height)))
