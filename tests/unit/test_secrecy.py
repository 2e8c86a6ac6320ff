"""What is secret by value: taken out of everything that a container prints or an engine repeats."""

from __future__ import annotations

from pathlib import Path

from reconciler.model.files import Content, CopiedFile
from reconciler.model.project import Image, Service
from reconciler.secrecy import UNREADABLE, hiding


def service(*contents: Content, files: tuple[CopiedFile, ...] = (), hidden: tuple[str, ...] = ()) -> Service:
    """A service with these secrets."""
    env = {"Env": ["PASSWORD=from-env", "PLAIN=shown", "TOKEN=abc", "CODED=was-coded"]}
    return Service("web", Image("a"), env, contents=contents, copied_files=files, hidden=hidden)


def test_variables_are_taken_out_by_their_name() -> None:
    """Also those that stood encrypted, whatever their name; what is very short would hide everything."""
    text = "from-env shown abc was-coded"
    assert hiding((service(),))(text) == "*** shown abc was-coded"
    assert hiding((service(hidden=("CODED",)),))(text) == "*** shown abc ***"
    assert hiding(())("postgres://me:word@host") == "postgres://me:***@host"


def test_secrets_are_taken_out_line_by_line(tmp_path: Path) -> None:
    """Files and what is copied in; a config is no secret unless it stood encrypted."""
    path = tmp_path / "s"
    path.write_text("first-line\nsecond-line\nxx\n")
    contents = (
        Content("secrets.s:/run/secrets/s", "", path=str(path)),
        Content("secrets.t:/run/secrets/t", ""),
        Content("configs.c:/c", ""),
        Content("volumes./v", "", path="/nowhere"),
    )
    files = (
        CopiedFile("/run/secrets/t", "of-a-variable"),
        CopiedFile("/c", "of-a-config"),
        CopiedFile("/d", "of-a-coded-config", encrypted=True),
    )
    hide = hiding((service(*contents, files=files),))
    text = "second-line, first-line\nfirst-line\nsecond-line\nxx of-a-variable of-a-config of-a-coded-config"
    assert hide(text) == "***, ***\n*** *** of-a-config ***"


def test_an_earlier_definition_is_known_by_what_it_gave(tmp_path: Path) -> None:
    """Its files are others by now, and cost no text."""
    gone = Content("secrets.s:/run/secrets/s", "", path=str(tmp_path / "none"))
    copied = Content("secrets.t:/run/secrets/t", "")
    earlier = service(gone, copied, files=(CopiedFile("/run/secrets/t", "given-then"),))
    assert hiding((), (earlier,))("given-then from-env shown") == "*** *** shown"


def test_what_cannot_be_read_costs_the_text(tmp_path: Path) -> None:
    """But for a copy that is not written yet, which nobody has read."""
    missing = Content("secrets.s:/run/secrets/s", "", path=str(tmp_path / "none"))
    hide = hiding((service(missing),))
    assert (hide("anything"), hide("")) == (UNREADABLE, "")
    assert hiding((service(Content(missing.field, "", path=missing.path, copy="/host/copy")),))("text") == "text"
