#!/usr/bin/env bash
# From a fresh clone to stylised pictures: makes .venv, installs requirements.txt, stylises every photograph of
# dataset/test/content with every picture of dataset/test/style, and one of them with blends of the bundled table of
# styles. Options go to eval.py, e.g. --content_path my_photos.
#   bash scripts/quickstart.sh [--option value ...]
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
source "$ROOT/scripts/env.sh"

make_environment quickstart requirements.txt
output=$(output_folder output_path "$ROOT/output/quickstart" "$@")
"$PYTHON" "$ROOT/eval.py" --content_path "$ROOT/dataset/test/content" --style_path "$ROOT/dataset/test/style" \
    --output_path "$output" "$@"
"$PYTHON" "$ROOT/stylize.py" "$ROOT/dataset/test/content/cat.jpg" --styles swirling_night burning_sky washes stained_glass \
    --blend_steps 4 --size 256 --overwrite -o "$output/blends.png"
echo
echo "All styles across, all photographs down: $output/grid.png"
echo "Each picture at its own size:            $output/"
echo "Four styles at the corners, blends:      $output/blends.png"
echo "Your own:  $PYTHON stylize.py photo.jpg painting.jpg -o out.jpg"
