# A mistake of the house closes with 1011 and tells the client nothing more.
connect
mutation 0 a:b {}
    run mutation 0 a.js:b {} as anonymous, request 0b7f6589656abd68
mutation breaks: ValueError a secret
    close 1011 InternalServerError
mutation done at 5: null
