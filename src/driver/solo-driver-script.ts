/**
 * The end of driver.sh where there is one rank and no array: driver and node runner are one process, because half the time
 * of a short job would be the second one's start. It writes the same files: events/0 and exit/0 as the runner, events/job,
 * then exit/job as the driver. When it is killed, nobody is left to write a record: the script runs on in its group, named by
 * its event line, and the attempt ends unproved. A TERM between the phases is kept in _d_heard.
 */
export const SOLO_DRIVER = `
trap _d_on_alarm ALRM
_d_driver_began=$_d_began _d_phase=setup _d_lost=''
[ -n "$_d_has_setup" ] || _d_phase=run
_d_run_phase 0 "$_d_phase"
if [ "$_d_phase" = setup ] && [ -z "$_d_recorded" ] && [ "$_d_status" = 0 ]; then
  _d_clock
  _d_event job gate
  _d_run_phase 0 run
fi
_d_code=$_d_status _d_said=$_d_told
# A setup that has a record went wrong, also when it ended with 0 after it had been told to stop.
[ "$_d_phase:$_d_code" != setup:0 ] || _d_code=1
[ "$_d_told:$_d_code" != timeout:0 ] || _d_said=0
if [ -z "$_d_recorded" ]; then
  # A record that did not reach the disk is no success.
  _d_event job "rank_lost rank=0 code=$_d_code"
fi
_d_began=$_d_driver_began
`
