# A large Transition goes to npm in parts, with nothing between them; the version moves once.
client npm-1.48.0
limit chunk_bytes 150
connect
modify 0 1: +0 a:b {}
    add 0 a.js:b {} journal None
    want wave
wave begins
    yes
wave ends at 5: 0="äöü"
    -> TransitionChunk {"partNumber": 0, "totalParts": 3, "transitionId": "311", "chunk": "{\"type\":\"Transition\",\"startVersion\":{\"querySet\":0,\"identity\":0,\"ts\":\"AAAAAAAAAAA=\"},\"endVersion\":{\"querySet\":1,\"identity\":0,\"ts\":\"BQAAAAAAAAA=\"},\"clie"}
    -> TransitionChunk {"partNumber": 1, "totalParts": 3, "transitionId": "311", "chunk": "ntClockSkew\":null,\"serverTs\":1700000000000000000,\"modifications\":[{\"queryId\":0,\"type\":\"QueryUpdated\",\"logLines\":[\"[LOG] 'hi'\"],\"journal\":null,\"value\":"}
    -> TransitionChunk {"partNumber": 2, "totalParts": 3, "transitionId": "311", "chunk": "\"\u00e4\u00f6\u00fc\"}]}"}
