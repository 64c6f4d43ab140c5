-- KEYS: record. ARGV: the user whose it must be, or nothing.
local record, answer = head(KEYS[1])
if answer == 'gone' or record and record.kind == 't' then
  return 'gone'
end
-- One that is damaged is anybody's, for there is no other way to be rid of it.
local user = ''
if record then
  user = redis.call('GETRANGE', KEYS[1], '194', 193 + record.length)
  if ARGV[1] and not (record.kind == 'u' and user == ARGV[1]) then
    return 'other'
  end
end
redis.call('UNLINK', KEYS[1])
return { record and record.kind or 'a', user }
