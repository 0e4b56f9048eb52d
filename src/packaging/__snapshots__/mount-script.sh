(
_d_fail() {
  echo "drover: staging: $1" >&2
  _d_text=$(printf %s "$1" | tr '\n\t\r' '   ' | cut -c1-500 | sed -e 's/%/%25/g' -e 's/ /%20/g')
  _d_own=${DROVER_NODE_RANK:-0}
  # Of an array over several nodes each element is rank 0, whatever number its node's files bear.
  [ -e "${DROVER_ATTEMPT_DIR-}/events/$_d_own" ] ||
    for _d_each in "${DROVER_ATTEMPT_DIR-}"/events/[0-9]*; do [ ! -e "$_d_each" ] || _d_own=${_d_each##*/}; done
  [ -z "${DROVER_ATTEMPT_DIR-}" ] ||
    echo "$(date +%s) container kind=staging element=- text=$_d_text" >> "$DROVER_ATTEMPT_DIR/events/$_d_own"
  exit 125
}
_d_has() { command -v "$1" >/dev/null 2>&1; }
_d_has curl || _d_has wget || _d_fail "file_mounts needs curl or wget, and this node has neither: install one"
_d_has git || _d_fail "file_mounts needs git, which is not installed on this node"
_d_has rclone || _d_fail "file_mounts needs rclone for buckets, which is not installed on this node (https://rclone.org/install)"
_d_above() { case $1 in */*) [ -z "${1%/*}" ] || mkdir -p "${1%/*}" || _d_fail "cannot make ${1%/*}" ;; esac; }
_d_download() {
  _d_above "$2"
  if _d_has curl; then printf 'url = "%s"\n' "$1" | curl -fsSL --retry 3 --connect-timeout 30 -o "$2.drover-$$" -K -
  else printf '%s\n' "$1" | wget -q -O "$2.drover-$$" -i -; fi &&
  mv -f "$2.drover-$$" "$2" || { rm -f "$2.drover-$$"; _d_fail "cannot download $2"; }
}
_d_git() {
  _d_above "$3"
  if [ -d "$3" ] && [ -n "$(ls -A "$3")" ]; then
    [ "$(git -C "$3" config --local --get remote.origin.url 2>/dev/null)" = "$1" ] ||
      _d_fail "cannot bring $1 to $3: something else is there"
  else git init -q "$3" && git -C "$3" remote add origin "$1" || _d_fail "cannot make $3"; fi
  GIT_TERMINAL_PROMPT=0 git -C "$3" fetch -q --depth 1 --no-tags origin "$2" && git -C "$3" checkout -q --detach --force FETCH_HEAD ||
    _d_fail "cannot bring $1 at $2 to $3 by git"
}
_d_bucket() {
  _d_above "$4"
  if rclone listremotes 2>/dev/null | grep -qx "$1:"; then _d_from=$1:$3
  elif [ -n "$2" ]; then _d_from=:$2:$3
  else _d_fail "cannot bring $4: rclone has no remote $1 on this node (rclone config)"; fi
  rclone copyto --stats 0 -- "$_d_from" "$4" || _d_fail "cannot bring $4 from $1:// by rclone"
}
_d_download https://h/x ./data
_d_git https://h/r.git HEAD ./r
_d_bucket s3 "s3,provider=AWS,env_auth=true" b ./b
) || exit
