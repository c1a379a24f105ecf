"""Chat templates rendered by jinja2, set up as HF transformers does, and by our interpreter through its test tool."""

import datetime
import json
import os
import re
import signal
import subprocess

import jinja2
import jinja2.ext
import jinja2.sandbox

BUILD = os.environ.get("HUSSAR_BUILD", os.path.join(os.path.dirname(__file__), "..", "..", "build"))
RENDER_TEMPLATE = os.path.join(BUILD, "render_template")
NOW = 1_753_000_000  # a time in 2025
# What python shows of objects that have no text of their own; our interpreter refuses to print them.
UNPRINTABLE = re.compile(r"<generator object|<built-in|<bound method|<function |<class '|<Macro |<LoopContext |<Namespace |_?iterator object| at 0x")


class Generation(jinja2.ext.Extension):
    """The tag that marks what the model generated: its body is called like a macro."""

    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("render_body"), [], [], body).set_lineno(lineno)

    @staticmethod
    def render_body(caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = to_json
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda form: datetime.datetime.fromtimestamp(NOW).strftime(form)
    return env


ENVIRONMENT = environment()


class TooSlow(BaseException):
    """No Exception, so that nothing in jinja2 swallows it."""


def _too_slow(*_):
    raise TooSlow


def expected(template, variables, seconds=2.0):
    """What jinja2 makes of it: ("text", text), ("error", message), or ("slow", "") where python takes too long."""
    signal.signal(signal.SIGALRM, _too_slow)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        text = ENVIRONMENT.from_string(template).render(**variables)
    except TooSlow:
        return "slow", ""
    except Exception as error:  # any of python's: what matters is that there is one
        return "error", f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if UNPRINTABLE.search(text):
        return "error", "unprintable: " + text
    return "text", text


class Renderer:
    """Our interpreter: one process that answers line by line."""

    def __init__(self):
        self.process = subprocess.Popen([RENDER_TEMPLATE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def render(self, template, foreign=None, trusted=None, limits=None):
        request = {"template": template, "foreign": foreign or {}, "trusted": trusted or {}, "now": NOW}
        if limits:
            request["limits"] = limits
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the renderer died (exit {self.process.wait()}) of {request!r}")
        return json.loads(line)

    def outcome(self, template, foreign=None, trusted=None):
        """("text", text) or ("error", message), or ("unsupported", message) for what is refused by name."""
        answer = self.render(template, foreign, trusted)
        if "text" in answer:
            return "text", answer["text"]
        return ("unsupported" if answer["code"] == "unsupported" else "error"), answer["error"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def blanked(answer):
    """The rendered bytes with each foreign range replaced by one mark."""
    data = answer["text"].encode()
    out, position = b"", 0
    for begin, end in answer["foreign"]:
        out += data[position:begin] + b"\0"
        position = end
    return out + data[position:]


def foreign_text(answer):
    """The bytes that are marked as the caller's, in order."""
    data = answer["text"].encode()
    return b"".join(data[begin:end] for begin, end in answer["foreign"])
