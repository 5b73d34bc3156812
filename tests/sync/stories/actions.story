# Actions run beside each other and beside mutations, and are answered as they finish.
connect
action 0 ai:reply {}
    run action 0 ai.js:reply {} as anonymous
mutation 1 a:b {}
    run mutation 1 a.js:b {} as anonymous, request 39851accd9af98a3
action 2 ai:reply {"n":1}
    run action 2 ai.js:reply {"n": 1} as anonymous
action 2 done: "ok"
    -> ActionResponse {"requestId": 2, "success": true, "logLines": ["[LOG] 'hi'"], "result": "ok"}
    want wave
action 0 failed: Uncaught ValueError: no
    -> ActionResponse {"requestId": 0, "success": false, "logLines": [], "result": "[Request ID: 0b7f6589656abd68] Server Error\nUncaught ValueError: no\n"}
    want wave
mutation done at 5: null
    -> MutationResponse {"requestId": 1, "success": true, "ts": 5, "logLines": [], "result": null}
    want wave
