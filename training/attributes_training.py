"""Trains the attribute net on real renders, softened as generated pictures are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from training.attributes import VALUES, Match, match_table, wanted
from training.attributes_net import SIZE, AttributeNet, predict_tensor
from training.images import load_images
from training.posts import Post
from training.rng import stream, stream_key

HELD_OUT = 0.1
# Marks an attribute that cannot be seen; cross_entropy skips it.
UNSEEN = -100


@dataclass(frozen=True)
class Settings:
    """Training settings of the check; ``rate`` is AdamW's peak learning rate."""

    seed: int = 0
    epochs: int = 18
    batch: int = 64
    rate: float = 2e-3


def split(posts: Sequence[Post], seed: int) -> tuple[list[Post], list[Post]]:
    """(training, held out) posts, each post's side drawn from its own stream."""
    held = {post.id for post in posts if stream(seed, "held out", post.id).random() < HELD_OUT}
    return [post for post in posts if post.id not in held], [post for post in posts if post.id in held]


def load_renders(folder: Path, posts: Sequence[Post]) -> torch.Tensor:
    """The posts' pictures as (N, 3, 64, 64) uint8; UserError where one is missing or of another size."""
    return load_images(folder, posts, SIZE)


def labels(posts: Sequence[Post]) -> dict[str, torch.Tensor]:
    """Attribute -> (N,) indices into its values, ``UNSEEN`` where the picture does not show it."""
    demands = [wanted(post) for post in posts]
    return {
        name: torch.tensor([values.index(demand[name]) if name in demand else UNSEEN for demand in demands])
        for name, values in VALUES.items()
    }


def soften(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The batch (B, 3, H, W) as a weak generator would paint it: blurred, shifted, tinted and noisy, in [0, 1].

    Blur and shift are one draw a batch (they are one convolution and one roll), tint and noise one an image.
    """

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator)

    soft = blur(images, float(uniform(0.05, 1.3, 1)))
    down, right = (int(torch.randint(-2, 3, (1,), generator=generator)) for _ in range(2))
    padded = F.pad(soft, (2, 2, 2, 2), mode="replicate")
    soft = padded[:, :, 2 + down : 2 + down + SIZE, 2 + right : 2 + right + SIZE]
    count = len(images)
    tinted = soft * uniform(0.93, 1.07, count, 3, 1, 1) + uniform(-0.04, 0.04, count, 1, 1, 1)
    noise = torch.randn(soft.shape, generator=generator) * uniform(0, 0.05, count, 1, 1, 1)
    return (tinted + noise).clamp(0, 1)


def blur(images: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian blur of (B, C, H, W) with a standard deviation of ``sigma`` pixels, in two passes."""
    offsets = torch.arange(-3, 4, dtype=images.dtype)
    kernel = torch.softmax(-(offsets**2) / (2 * sigma**2), dim=0).expand(images.shape[1], 1, 1, -1)
    padded = F.pad(images, (3, 3, 3, 3), mode="replicate")
    rows = F.conv2d(padded, kernel, groups=images.shape[1])
    return F.conv2d(rows, kernel.transpose(2, 3), groups=images.shape[1])


def train_net(
    images: torch.Tensor,
    targets: dict[str, torch.Tensor],
    settings: Settings,
    on_step: Callable[[int, int, float], None] | None = None,
) -> AttributeNet:
    """A net trained on (N, 3, 64, 64) uint8 images; ``on_step(step, steps, loss)`` reports progress.

    Loss: sum over attributes of the cross-entropy where the attribute can be seen. AdamW, one-cycle learning rate.
    Seeds torch inside a forked generator state, so the caller's randomness is untouched.
    """
    with torch.random.fork_rng():
        torch.manual_seed(stream_key(settings.seed, "attribute net") % 2**63)
        return _train(images, targets, settings, on_step)


def _train(
    images: torch.Tensor,
    targets: dict[str, torch.Tensor],
    settings: Settings,
    on_step: Callable[[int, int, float], None] | None,
) -> AttributeNet:
    net = AttributeNet().train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=settings.rate, weight_decay=0.01)
    per_epoch = -(-len(images) // settings.batch)
    steps = per_epoch * settings.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.rate, total_steps=steps)
    generator = torch.Generator().manual_seed(stream_key(settings.seed, "softening") % 2**63)
    for step in range(steps):
        if step % per_epoch == 0:
            order = torch.randperm(len(images), generator=generator)
        rows = order[step % per_epoch * settings.batch :][: settings.batch]
        found = net(soften(images[rows].float() / 255, generator))
        loss = torch.stack([head_loss(found[name], targets[name][rows]) for name in VALUES]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if on_step:
            on_step(step + 1, steps, loss.item())
    return net.eval()


def head_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over the visible rows; 0 where no row is visible."""
    total = F.cross_entropy(logits, target, ignore_index=UNSEEN, reduction="sum")
    return total / (target != UNSEEN).sum().clamp(min=1)


def measure(net: AttributeNet, images: torch.Tensor, posts: Sequence[Post]) -> list[Match]:
    """Share of correct answers per attribute, on the posts' pictures (N, 3, 64, 64) in [0, 1]."""
    return match_table([wanted(post) for post in posts], predict_tensor(net, images))
