# Mutations run one at a time, in order; the response goes out before the wave that follows it is asked for.
connect
mutation 0 messages:send {"body":"hi"}
    run mutation 0 messages.js:send {"body": "hi"} as anonymous, request 0b7f6589656abd68
mutation 1 messages.js:send {}
mutation 2 messages {}
mutation done at 5: null
    -> MutationResponse {"requestId": 0, "success": true, "ts": 5, "logLines": [], "result": null}
    want wave
    run mutation 1 messages.js:send {} as anonymous, request 39851accd9af98a3
wave begins
    yes
wave ends at 5
    -> Transition 0/0/0 to 0/0/5: nothing
mutation failed: Uncaught ValueError: no
    -> MutationResponse {"requestId": 1, "success": false, "ts": null, "logLines": [], "result": "[Request ID: 39851accd9af98a3] Server Error\nUncaught ValueError: no\n"}
    want wave
    run mutation 2 messages.js:default {} as anonymous, request ad5f8e40195e1d17
mutation failed: Uncaught Full data {"code":"full"}
    -> MutationResponse {"requestId": 2, "success": false, "ts": null, "logLines": [], "result": "[Request ID: ad5f8e40195e1d17] Server Error\nUncaught Full\n", "errorData": {"code": "full"}}
    want wave
wave begins
    yes
wave ends at 6
    -> Transition 0/0/5 to 0/0/6: nothing
