#!/bin/sh
# cpu_torch.sh CHOICE PIP...: installs torch and torchvision without CUDA (0.2 instead of 5 GB), where that is wanted.
# CHOICE: auto (on Linux without an NVIDIA driver), cpu or cuda. PIP: the command that installs, such as pip install.
set -eu
choice=$1
shift
index=${TORCH_CPU_INDEX:-https://download.pytorch.org/whl/cpu}
version=$(sed -n "s/^torch==//p" requirements.txt)

case $choice in
auto) if [ -e /proc/driver/nvidia ] || command -v nvidia-smi > /dev/null; then exit 0; fi ;;
cpu) ;;
cuda) exit 0 ;;
*) echo "error: TORCH is auto, cpu or cuda, not $choice" >&2; exit 1 ;;
esac
[ "$(uname -s)" = Linux ] || exit 0 # elsewhere the usual torch has no CUDA
# Asked first, since pip itself tries for a minute and more. `timeout` is for a name with many addresses.
if ! timeout 20 .venv/bin/python -m pip --disable-pip-version-check --timeout 5 --retries 0 \
    index versions torch --index-url "$index" 2> /dev/null | grep --quiet --fixed-strings "$version+cpu"; then
    said="$index cannot be reached, or has no torch $version"
    [ "$choice" = auto ] || { echo "error: $said; TORCH=auto then takes the one with CUDA" >&2; exit 1; }
    echo "$said: the usual one, with 5 GB of CUDA, works too"
    exit 0
fi
# Nothing but these two: pip takes all indexes as equal, and that one has other packages too.
"$@" --no-deps --index-url "$index" $(grep -E "^torch(vision)?==" requirements.txt)
