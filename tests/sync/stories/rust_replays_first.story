# A Rust client that comes back takes the first Transition for the one that its answered mutations missed, and
# then trips over the answers to their replays: so those go out first.
client python-0.8.1
connect connectionCount=1
modify 0 1:
    want wave
mutation 3 a:b {}
    run mutation 3 a.js:b {} as anonymous, request d0d462f4a0501135
mutation 4 a:b {}
wave begins
    no
mutation done at 5: null
    -> MutationResponse {"requestId": 3, "success": true, "ts": 5, "logLines": [], "result": null}
    want wave
    run mutation 4 a.js:b {} as anonymous, request fdc5d66b7badf9a6
wave begins
    no
mutation done at 6: null
    -> MutationResponse {"requestId": 4, "success": true, "ts": 6, "logLines": [], "result": null}
    want wave
wave begins
    yes
wave ends at 6
    -> Transition 0/0/0 to 1/0/6: nothing
# From then on waves run beside mutations as for everybody.
mutation 5 a:b {}
    run mutation 5 a.js:b {} as anonymous, request 4493b9d626067a97
wave begins
    yes
