-- KEYS: record. ARGV: the user whose session it has to be, or nothing.
local stored, reply = head(KEYS[1])
if reply == 'gone' then
  return reply
end
-- A damaged record is deleted whoever owns it: nothing else removes it.
local kind, user = 'a', ''
if stored then
  kind = stored.kind
  if kind == 't' then
    return 'moved'
  end
  user = redis.call('GETRANGE', KEYS[1], '65', 64 + stored.length)
  if ARGV[1] and not (kind == 'u' and user == ARGV[1]) then
    return 'other'
  end
end
redis.call('UNLINK', KEYS[1])
redis.pcall('PUBLISH', KEYS[1], ARGV[1] and 'revoked' or 'logged_out')
return { kind, user }
