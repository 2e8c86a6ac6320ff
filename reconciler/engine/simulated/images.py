"""Images: found by id, tag or digest, pulled from a registry that is a table, tagged, and built without building."""

from __future__ import annotations

import hashlib
import re

from reconciler.engine.protocol import Progress
from reconciler.engine.simulated.references import key, parse, spelled
from reconciler.engine.simulated.state import (
    CONFLICT,
    LIVE,
    NOT_FOUND,
    SERVER_ERROR,
    Document,
    Picture,
    World,
    copied,
    refusal,
)
from reconciler.engine.times import seconds, timestamp
from reconciler.errors import EngineError
from reconciler.model.labels import BUILD_KEY
from reconciler.model.observed import RegistryAnswer
from reconciler.model.project import Build
from reconciler.model.references import Reference

_ID = re.compile(r"(?:sha256:)?(?P<hex>[0-9a-f]{1,64})")
_FULL = 64
_NO_TAGS = ["<none>:<none>"]
_NO_DIGESTS = ["<none>@<none>"]


def find_image(world: World, reference: str) -> Picture:
    """The image of that id, tag, digest or unique short id; EngineError 404."""
    match = _ID.fullmatch(reference)
    if match and len(match["hex"]) == _FULL:
        return _found(world.images.get(f"sha256:{match['hex']}"), reference)
    if match and reference.startswith("sha256:"):
        return _found(_by_short_id(world, match["hex"]), reference)
    parsed = parse(reference)
    named = _by_name(world, parsed)
    return _found(named or (_by_short_id(world, match["hex"]) if match else None), spelled(parsed))


def rows(world: World) -> list[Document]:
    """The rows of GET /images/json, newest first."""
    return [_row(picture) for picture in reversed(world.images.values())]


def registry_digest(world: World, reference: str) -> str:
    """The digest that the registry has under that reference; EngineError where it has none."""
    parsed = parse(reference)
    if parsed.digest:
        return parsed.digest
    if world.registry is None:
        return f"sha256:{_sha256(parsed.tagged)}"
    answers = {key(parse(known)): answer for known, answer in world.registry.items()}
    answer = answers.get(key(parsed))
    if answer is None:
        raise refusal(NOT_FOUND, f"manifest for {spelled(parsed)} not found: manifest unknown: manifest unknown")
    if answer.digest is None:
        raise refusal(SERVER_ERROR, answer.error or "the registry gave no digest")
    return answer.digest


def pull_image(world: World, reference: str, progress: Progress) -> None:
    """Have that image locally, under its digest and, where it was pulled by tag, under its tag."""
    parsed = parse(reference)
    digest = registry_digest(world, reference)
    held = Reference(parsed.repository, None, digest)
    progress(f"Pulling from {parsed.repository}")
    picture = _by_name(world, held) or _new(world, key(held), {})
    _name_it(world, picture, held)
    if not parsed.digest:
        _name_it(world, picture, parsed)
    world.tell("image", "pull", spelled(parsed), {"name": parsed.repository})
    progress(f"Digest: {digest}")


def tag_image(world: World, image: str, repository: str, tag: str) -> None:
    """Give the image that tag, taking it from the image that had it."""
    picture, name = find_image(world, image), parse(f"{repository}:{tag}")
    _name_it(world, picture, name)
    world.tell("image", "tag", picture.document["Id"], {"name": spelled(name)})


def remove_image(world: World, reference: str) -> None:
    """Take the name off its image; the image goes with its last name, or by its id. One that is gone is success.

    As graph-driver engines have it: the last tag in a repository takes the digests there with it, and an image whose
    names are all of one repository, with one tag at most, counts as having a single name.
    """
    picture = _find_or_none(world, reference)
    if picture is None:
        return
    names = _names(picture)
    named = None if _is_id(picture, reference) else parse(reference)
    single = len({parse(name).repository for name in names}) <= 1 and len(names) - _digests(names) <= 1
    if named is None and not single:
        why = f"unable to delete {_short(picture)} (must be forced) - image is referenced in multiple repositories"
        raise refusal(CONFLICT, f"conflict: {why}")
    if single:
        _check_unused(world, picture, reference if named else "")
    left = _without(names, named) if named else []
    image_id = picture.document["Id"]
    if left:
        _rename(picture, left)
    else:
        del world.images[image_id]
    world.tell("image", "untag" if left else "delete", image_id, {"name": image_id})


def push_image(world: World, reference: str, progress: Progress) -> str:
    """Let the registry have it, with a digest made of its id; EngineError where no image has the tag.

    Where every reference exists (no table of registries), it is there already.
    """
    parsed = parse(reference)
    picture = _by_name(world, Reference(parsed.repository, parsed.tag or "latest", None))
    if picture is None:
        raise refusal(NOT_FOUND, f"tag does not exist: {spelled(parsed)}")
    if world.registry is not None:
        content = RegistryAnswer(f"sha256:{_sha256(picture.document['Id'])}")
        world.registry = {**world.registry, parsed.tagged: content}
    digest = registry_digest(world, parsed.tagged)
    _name_it(world, picture, Reference(parsed.repository, None, digest))
    progress(f"{parsed.tag or 'latest'}: digest: {digest} size: 0")
    return digest


def build_image(world: World, build: Build, tags: tuple[str, ...], progress: Progress) -> None:
    """The image that this build would make: the same for the same content key, and known by nothing but its labels."""
    content = f"build:{build.key or build!r}"
    labels = {**dict(build.labels), **({BUILD_KEY: build.key} if build.key else {})}
    picture = world.images.get(f"sha256:{_sha256(content)}") or _new(world, content, labels)
    for tag in tags:
        _name_it(world, picture, parse(tag))
        world.tell("image", "tag", picture.document["Id"], {"name": tag})
    progress(f"Built {picture.document['Id']}")


def _by_name(world: World, reference: Reference) -> Picture | None:
    field = "RepoDigests" if reference.digest else "RepoTags"
    wanted = key(reference)
    return next((one for one in world.images.values() if wanted in (one.document.get(field) or [])), None)


def _by_short_id(world: World, prefix: str) -> Picture | None:
    found = [picture for image_id, picture in world.images.items() if image_id.startswith(f"sha256:{prefix}")]
    return found[0] if len(found) == 1 else None


def _found(picture: Picture | None, reference: str) -> Picture:
    if picture is None:
        raise refusal(NOT_FOUND, f"No such image: {reference}")
    return picture


def _name_it(world: World, picture: Picture, reference: Reference) -> None:
    field = "RepoDigests" if reference.digest else "RepoTags"
    given = key(reference)
    for other in world.images.values():
        names = other.document.get(field) or []
        if (given in names) != (other is picture):
            kept = [name for name in names if name != given]
            other.document[field] = [*kept, given] if other is picture else kept
            other.retagged = True


def _new(world: World, content: str, labels: dict[str, str]) -> Picture:
    image_id = f"sha256:{_sha256(content)}"
    document = {
        "Id": image_id,
        "RepoTags": [],
        "RepoDigests": [],
        "Parent": "",
        "Comment": "",
        "Created": timestamp(world.clock.now()),
        "Config": {"Env": None, "Cmd": None, "Entrypoint": None, "Labels": labels or None},
        "Architecture": "amd64",
        "Os": "linux",
        "Size": 0,
        "Predicted": True,
    }
    world.images[image_id] = Picture(document, known=False)
    return world.images[image_id]


def _find_or_none(world: World, reference: str) -> Picture | None:
    try:
        return find_image(world, reference)
    except EngineError as error:
        if error.status != NOT_FOUND:
            raise
        return None


def _names(picture: Picture) -> list[str]:
    return [*(picture.document.get("RepoTags") or ()), *(picture.document.get("RepoDigests") or ())]


def _digests(names: list[str]) -> int:
    return sum("@" in name for name in names)


def _is_id(picture: Picture, reference: str) -> bool:
    return str(picture.document["Id"]).removeprefix("sha256:").startswith(reference.removeprefix("sha256:"))


def _without(names: list[str], gone: Reference) -> list[str]:
    """The names that stay: digests of a repository do not outlive its last tag."""
    kept = [name for name in names if name != key(gone)]
    beside = [name for name in kept if parse(name).repository == gone.repository]
    alone = not gone.digest and _digests(beside) == len(beside)
    return [name for name in kept if name not in beside] if alone else kept


def _rename(picture: Picture, names: list[str]) -> None:
    picture.document["RepoTags"] = [name for name in names if "@" not in name]
    picture.document["RepoDigests"] = [name for name in names if "@" in name]
    picture.retagged = True


def _check_unused(world: World, picture: Picture, name: str) -> None:
    """EngineError 409 where a container, in any state, was created from it."""
    user = next((box for box in world.containers.values() if box.document["Image"] == picture.document["Id"]), None)
    if user is None:
        return
    must, how = ("cannot", "running") if user.status in LIVE else ("must", "stopped")
    by_id = f"unable to delete {_short(picture)} ({must} be forced) - image is being used by {how} container"
    by_name = f'unable to remove repository reference "{name}" (must force) - container'
    used = f" is using its referenced image {_short(picture)}" if name else ""
    raise refusal(CONFLICT, f"conflict: {by_name if name else by_id} {user.id[:12]}{used}")


def _short(picture: Picture) -> str:
    return str(picture.document["Id"]).removeprefix("sha256:")[:12]


def _row(picture: Picture) -> Document:
    row = copied(picture.row) if picture.row else _new_row(picture.document)
    if picture.retagged or not picture.row:
        tags, digests = picture.document.get("RepoTags") or [], picture.document.get("RepoDigests") or []
        row["RepoTags"] = list(tags) or (None if digests else list(_NO_TAGS))
        row["RepoDigests"] = list(digests) or (None if tags else list(_NO_DIGESTS))
    return row


def _new_row(document: Document) -> Document:
    return {
        "Containers": -1,
        "Created": int(seconds(document["Created"])),
        "Id": document["Id"],
        "Labels": copied((document.get("Config") or {}).get("Labels")),
        "ParentId": document.get("Parent", ""),
        "SharedSize": -1,
        "Size": document.get("Size", 0),
        "VirtualSize": document.get("Size", 0),
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
