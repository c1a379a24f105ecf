"""Which processor this is."""

import pathlib

FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16")


def processor():
    """Its name, and those of its flags that matter here."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    fields = {key.strip(): value.strip() for key, value in reversed([line.split(":", 1) for line in lines if ":" in line])}
    flags = fields.get("flags", "").split()
    name = f"{fields.get('model name', 'unknown')}, family {fields.get('cpu family', '?')} model {fields.get('model', '?')}"
    return name, [flag for flag in FLAGS if flag in flags]
