#!/bin/sh
# See that the cdktf command has the module through which it runs Terraform in a terminal. It brings its binary along for
# most machines; for others (Linux on arm64, Macs with Intel's processors) it is compiled, with the headers beside Node.
# Run in the folder of node_modules, which goes if there is no way: half of it would only fail later.
set -eu

module=@cdktf/node-pty-prebuilt-multiarch
log=$(mktemp)
trap 'rm -f "$log"' EXIT

works() {
    node -e "require('$module')" >"$log" 2>&1
}

works && exit 0
echo "There is no binary of $module for this machine; compiling it."
npm_config_nodedir=$(node -p "path.resolve(process.execPath, '../..')")
export npm_config_nodedir
npm rebuild --foreground-scripts "$module" >"$log" 2>&1 && works && exit 0
tail -n 20 "$log" >&2
rm -rf node_modules
echo "terminal_module: $module, which cdktf needs, cannot be compiled: install a C++ compiler, make and Python (on Debian" \
    "build-essential and python3, on macOS 'xcode-select --install'), then try again." >&2
exit 3
