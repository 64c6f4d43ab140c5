-- KEYS: records. ARGV: now. Returns how many it deleted.
local deleted = 0
for _, key in ipairs(KEYS) do
  local stored = head(key)
  if stored and stored.expires_at <= ARGV[1] then
    redis.call('UNLINK', key)
    deleted = deleted + 1
  end
end
return deleted
