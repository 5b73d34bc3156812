# A response that arrives during a wave goes out before that wave's Transition, and asks for one more.
connect
mutation 0 a:b {}
    run mutation 0 a.js:b {} as anonymous, request 0b7f6589656abd68
wave begins
    yes
mutation done at 5: 1.0
    -> MutationResponse {"requestId": 0, "success": true, "ts": 5, "logLines": [], "result": 1.0}
    want wave
wave ends at 4
    -> Transition 0/0/0 to 0/0/4: nothing
wave begins
    yes
wave ends at 5
    -> Transition 0/0/4 to 0/0/5: nothing
