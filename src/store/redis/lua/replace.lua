local stored, answer = head(KEYS[1])
if not stored then
  return answer
end
if is_mine(stored.tokens, string.sub(ARGV[1], 1, 16)) then
  return 'stored'
end
if stored.version ~= string.sub(ARGV[2], 1, 20) then
  return 'conflict'
end

local record = words(ARGV[1])
local is_same_user = stored.kind == 'u' and string.sub(old, 185) == string.sub(ARGV[2], 40)
if record.kind == 'u' and not (is_same_user and stored.listed_until >= record.listed_until) then
  if KEYS[2] then
    enlist_record(KEYS[2], KEYS[1], record, ARGV[3])
  elseif not ARGV[5] then
    return 'unlisted'
  end
end
redis.call('SET', KEYS[1], string.sub(stored.tokens, 17) .. ARGV[1], 'PX', ARGV[3])
return 'stored'
