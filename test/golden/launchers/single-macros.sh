export PEER=tcp://"${DROVER_HEAD_IP-}":80
exec serve '--ip='"${DROVER_HEAD_IP-}"
