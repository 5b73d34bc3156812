# A mutation that could not be decided closes with 1013; the client replays it under the same number.
connect
mutation 0 a:b {}
    run mutation 0 a.js:b {} as anonymous, request 0b7f6589656abd68
mutation 1 a:b {}
mutation breaks: Unavailable
    close 1013 Unavailable
