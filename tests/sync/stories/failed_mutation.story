# A failure, too, must be followed by a Transition: the Rust family waits for one when there is error data.
connect
mutation 0 a:b {}
    run mutation 0 a.js:b {} as anonymous, request 0b7f6589656abd68
mutation failed: Uncaught Full: data null
    -> MutationResponse {"requestId": 0, "success": false, "ts": null, "logLines": [], "result": "[Request ID: 0b7f6589656abd68] Server Error\nUncaught Full:\n", "errorData": null}
    want wave
wave begins
    yes
wave ends at 5
    -> Transition 0/0/0 to 0/0/5: nothing
