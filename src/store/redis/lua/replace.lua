local stored, reply = head(KEYS[1])
if not stored then
  return reply
end
if stored.version ~= ARGV[4] then
  return 'conflict'
end

local is_same_user = stored.kind == 'u' and string.sub(old, 40) == string.sub(ARGV[1], 56, ARGV[5] + 1)
local is_indexed = is_same_user and stored.indexed_until >= string.sub(ARGV[1], 40, 54)
if string.sub(ARGV[1], 38, 38) == 'u' and not is_indexed then
  if KEYS[2] then
    index_add(KEYS[2], handle(KEYS[1]), ARGV[3])
  elseif not ARGV[6] then
    return 'unindexed'
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local is_tombstone = string.sub(ARGV[1], 38, 38) == 't'
redis.pcall('PUBLISH', KEYS[1], is_tombstone and 'moved' or ARGV[4])
return 'stored'
