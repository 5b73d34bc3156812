# A redacted deployment hides texts and log lines, never error data.
redacted
connect
modify 0 1: +0 a:b {}, +1 a:c {}
    add 0 a.js:b {} journal None
    add 1 a.js:c {} journal None
    want wave
mutation 0 a:b {}
    run mutation 0 a.js:b {} as anonymous, request 0b7f6589656abd68
action 1 a:b {}
    run action 1 a.js:b {} as anonymous
wave begins
    yes
wave ends at 5: 0=1.0, 1!secret data "told"
    -> Transition 0/0/0 to 1/0/5: 0=1.0 1!'[Request ID: random] Server Error' data "told"
mutation failed: secret data {"code":"full"}
    -> MutationResponse {"requestId": 0, "success": false, "ts": null, "logLines": [], "result": "[Request ID: 0b7f6589656abd68] Server Error", "errorData": {"code": "full"}}
    want wave
action 1 done: null
    -> ActionResponse {"requestId": 1, "success": true, "logLines": [], "result": null}
    want wave
