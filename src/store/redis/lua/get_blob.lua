-- KEYS: the key. Replies with its bytes, the milliseconds left to it (negative: no end), and the time.
local bytes = redis.call('GET', KEYS[1])
if not bytes then
  return false
end
local time = redis.call('TIME')
return { bytes, redis.call('PTTL', KEYS[1]), tonumber(time[1]), tonumber(time[2]) }
