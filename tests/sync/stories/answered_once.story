# A request number that comes again on one socket is ignored: an answer too many breaks the Rust client.
connect
mutation 7 a:b {}
    run mutation 7 a.js:b {} as anonymous, request 64aad5f5b122015a
mutation 7 a:b {}
mutation done at 5: null
    -> MutationResponse {"requestId": 7, "success": true, "ts": 5, "logLines": [], "result": null}
    want wave
mutation 7 a:b {}
action 8 a:b {}
    run action 8 a.js:b {} as anonymous
action 8 a:b {}
mutation 8 a:b {}
# Lower numbers may follow higher ones: the Rust family replays in that order.
mutation 3 a:b {}
    run mutation 3 a.js:b {} as anonymous, request d0d462f4a0501135
