-- nbdev turns `names` into links even in the signatures that it prints; in code a link is noise, so the name alone stays.
function CodeBlock(block)
  block.text = block.text:gsub("%[(`[^`]+`)%]%(https?://[^%s)]*%)", "%1")
  return block
end
