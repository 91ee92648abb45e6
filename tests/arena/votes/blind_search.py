"""Everything that could tell a contestant, in every spelling, and everything that a browser fetches before the vote."""

import base64
import re
import zlib
from collections.abc import Iterable
from urllib.parse import quote

from django.http import HttpResponse
from django.test import Client

from arena.gallery.models import Checkpoint, Contestant, PromptSet, Sample
from generation.recipe import Recipe

LINKED = re.compile(r'(?:src|href|action|formaction|data-[a-z-]+)="(/[^"]*)"')
# Pages that name checkpoints on purpose are one click away from everywhere: the first page, boards, status, help.
OTHER_PAGES = re.compile(r"/($|boards|checkpoints|status|settings|privacy|me/|help|accounts|login|logout)")


def names() -> set[str]:
    """Names of runs, checkpoints and prompt sets, hashes and their short forms, folders, files, recipes."""
    found = {Recipe().sha256, "secret-run"}
    for checkpoint in Checkpoint.objects.select_related("run"):
        sha = checkpoint.sha256
        found |= {checkpoint.name, checkpoint.run.name, sha, sha[:12], sha[-12:], checkpoint.folder}
        found |= {f"epoch {checkpoint.epoch}", f"epoch-{checkpoint.epoch}", f"step {checkpoint.step}"}
    for contestant in Contestant.objects.all():
        found |= {contestant.recipe_sha256, contestant.recipe_sha256[:12]}
    for sample in Sample.objects.all():
        stem = sample.blind.name.split("/")[1].removesuffix(".png")
        found |= {
            sample.archive.name,
            sample.blind.name,
            stem,
            stem[:12],
            sample.pixel_sha256,
            sample.pixel_sha256[:12],
        }
    for prompt_set in PromptSet.objects.all():
        found |= {prompt_set.slug, prompt_set.title}
    return found


def spellings(name: str) -> set[bytes]:
    """A name as it is, in other cases, in hexadecimal, in URLs, reversed, and in base64 at each of its three places."""
    found = set()
    for form in {name, name.lower(), name.upper(), name.title(), name[::-1]}:
        data = form.encode()
        found |= {data, data.hex().encode(), data.hex().upper().encode(), quote(form, safe="").encode()}
        found |= {quote(form).encode(), form.replace(" ", "+").encode(), form.replace(" ", "_").encode()}
        for shift in range(3):
            whole = (len(data) + shift) // 3 * 3 - shift
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                coded = encode(b"\0" * shift + data[:whole])
                # The first group also holds what stands before the name.
                found.add(coded[4 if shift else 0 :])
    return {form for form in found if len(form) >= 6}


def told(parts: Iterable[bytes], wanted: Iterable[str]) -> list[str]:
    """Which names occur in which spelling."""
    everything = b"\n".join(parts)
    lower = everything.lower()
    return [name for name in wanted if any(form in everything or form.lower() in lower for form in spellings(name))]


def walk(client: Client, page: str) -> list[bytes]:
    """All parts of a page and of all of the booth that it names: images, scripts, styles, addresses to send to."""
    parts: list[bytes] = []
    seen: set[str] = set()
    waiting = [page]
    while waiting:
        path = waiting.pop()
        if path in seen or OTHER_PAGES.match(path):
            continue
        seen.add(path)
        response = client.get(path)
        assert response.status_code == 200 or not path.endswith((".png", ".js", ".css", ".svg")), path
        fetched = parts_of(response)
        parts += [path.encode(), *fetched]
        if "text/html" in response.get("Content-Type", ""):
            waiting += LINKED.findall(fetched[1].decode())
    return parts


def parts_of(response: HttpResponse) -> list[bytes]:
    """Status, headers and cookies of an answer, its body, and what is packed in an image."""
    head = f"{response.status_code} {sorted(response.headers.items())} {response.cookies}"
    content = b"".join(response.streaming_content) if response.streaming else response.content
    parts = [head.encode(), content]
    if content.startswith(b"\x89PNG"):
        parts.append(zlib.decompress(b"".join(data for name, data in chunks(content) if name == "IDAT")))
    return parts


def chunks(png: bytes) -> list[tuple[str, bytes]]:
    """Names and data of a PNG's chunks, read by the file format: length, name, data, checksum."""
    found, at = [], 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        found.append((png[at + 4 : at + 8].decode(), png[at + 8 : at + 8 + length]))
        at += 12 + length
    return found
