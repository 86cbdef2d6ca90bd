"""The mutations that the tests send."""

SAVE_BRAND = (
    "mutation ($input: SaveBrandInput!) { saveBrand(input: $input) { brand { name title } userErrors { code } } }"
)
SAVE_INSTRUMENT = """mutation ($input: SaveInstrumentInput!) {
  saveInstrument(input: $input) { instrument { symbol quantityStep } userErrors { code field message } }
}"""
SAVE_GROUP = """mutation ($input: SaveAccountGroupInput!) {
  saveAccountGroup(input: $input) { accountGroup { id name policy } userErrors { code field message } }
}"""
CREATE_PROGRAM = """mutation ($input: CreateProgramInput!) {
  createProgram(input: $input) { program { id status version steps { name limits } } userErrors { code field message } }
}"""
UPDATE_PROGRAM = """mutation ($input: UpdateProgramInput!) {
  updateProgram(input: $input) { program { id status version name } userErrors { code field message transient } }
}"""
DEPOSIT = """mutation ($input: DepositToWalletInput!) {
  depositToWallet(input: $input) { wallet { id cash reserved free } userErrors { code field message } }
}"""
BUY = """mutation ($input: BuyChallengeInput!) { buyChallenge(input: $input) {
  purchase { id status price } challenge { id status } userErrors { code field message transient }
} }"""
SUBMIT = """mutation ($input: SubmitDecisionActionsInput!) { submitDecisionActions(input: $input) {
  account { id seq } userErrors { code field message }
  results { id actionId status code observed quote { bid ask sourceTime } replayed order { id } fill {
    id quantity price fee } }
} }"""
INGEST = """mutation ($input: IngestQuotesInput!) { ingestQuotes(input: $input) {
  batches newestBatch accepted dropped { symbol reason count } userErrors { code field message }
} }"""
CREATE_TOKEN = """mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) {
  token apiToken { id role name prefix } userErrors { code field message }
} }"""
