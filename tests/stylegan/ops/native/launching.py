"""CUDA sources made to compile for a CPU, launches and all: what only a device has is replaced by `fibers.h`."""

import re
from pathlib import Path

from stylegan.ops.toolchain import SOURCES

__all__ = ["translate"]

_NAME = r"(\w+(?:<[^<>;]*(?:<[^<>]*>[^<>;]*)*>)?)"
_LAUNCH = (
    _NAME + r"<<<(.+?), ([^,]+), ([^,]+), [^,]+>>>\((.*?)\);",
    r"fibers::launch(\2, \3, \4, [&] { \1(\5); });",
)
_EVERYWHERE = [
    _LAUNCH,
    (r"extern __shared__ float (\w+)\[\];", r"float* const \1 = fibers::shared;"),
    (r"__shared__ (alignas\(\w+\) )?", r"\1static "),
    # A key of its own: where there is a GPU, the real CUDA kernels stay registered.
    (r"STABLE_TORCH_LIBRARY_IMPL\(bend, CUDA, m\)", "STABLE_TORCH_LIBRARY_IMPL(bend, PrivateUse1, m)"),
]
# (file, what occurs there once, what replaces it)
_ONCE = [
    (
        "row_ring.h",
        r"\n  write_few\(to, read_few<count>\(from, is_there\)\);\n",
        "\n  const auto copy = [=] { write_few(to, read_few<count>(from, is_there)); };\n"
        "  constexpr int kBytes = Few<T, count>::kBytes;\n"
        "  if constexpr (kBytes == kPackBytes || kBytes == 4) return fibers::copy(copy);\n"
        "  copy();\n",
    ),
    ("row_ring.h", r'#include "packs.h"', '#include <cuda_runtime.h>\n#include "packs.h"'),
    (
        "launch_ring.h",
        r"void wait_for_copies\(\) \{.*?\n\}",
        "void wait_for_copies() { fibers::wait_for_copies(kLeft); }",
    ),
    ("launch_ring.h", r"void end_of_stage\(\) \{.*?\n\}", "void end_of_stage() { fibers::end_of_stage(); }"),
    (
        "launch.h",
        r"class OnDevice \{.*?\n\};",
        "struct OnDevice {\n  explicit OnDevice(const Tensor&) {}\n"
        "  cudaStream_t stream() const { return nullptr; }\n};",
    ),
    ("launch.h", r"STD_TORCH_CHECK\(!other \|\| is_beside\(\*other\)[^;]*;", ""),
    (
        "launch.h",
        r"namespace bend \{",
        "#undef STD_CUDA_KERNEL_LAUNCH_CHECK\n#define STD_CUDA_KERNEL_LAUNCH_CHECK()\nnamespace bend {",
    ),
]


def translate(folder: Path) -> tuple[Path, ...]:
    """Write the sources and their headers into a folder; returns those that are to be compiled."""
    (folder / "cuda_runtime.h").write_text(Path(__file__).with_name("fibers.h").read_text())
    for path in (*SOURCES.glob("*.h"), *SOURCES.glob("*.cu")):
        text = path.read_text()
        for pattern, replacement in _EVERYWHERE:
            text = re.sub(pattern, replacement, text)
        for name, pattern, replacement in _ONCE:
            if name == path.name:
                text, times = re.subn(pattern, lambda _, new=replacement: new, text, flags=re.DOTALL)
                assert times == 1, f"{name} has {times} times {pattern}"
        assert "<<<" not in text, path
        (folder / path.with_suffix(".cpp" if path.suffix == ".cu" else ".h").name).write_text(text)
    return tuple(sorted(folder.glob("*.cpp")))
