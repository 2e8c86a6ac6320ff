from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reconciler import logs

if TYPE_CHECKING:
    import pytest


def test_log_lines_go_to_stderr_from_their_level_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Results alone go to stdout."""
    logs.configure("console", "warning")
    logs.get_logger(project="shop").info("quiet")
    logs.get_logger(project="shop").warning("loud")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "loud" in captured.err
    assert "quiet" not in captured.err


def test_tracebacks_in_logs_show_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    """A local variable may hold a secret."""
    for log_format in ("json", "console"):
        logs.configure(log_format, "info")
        try:
            _fail("TIGER".lower())
        except ValueError:
            logs.get_logger().exception("failed")
        text = capsys.readouterr().err
        assert "tiger" not in text
        assert "ValueError" in text
        if log_format == "json":
            assert json.loads(text)["event"] == "failed"


def _fail(secret: str) -> None:
    shown = len(secret)
    raise ValueError(f"a value of {shown} letters")
