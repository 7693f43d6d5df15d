<?php
// Prints one bounded piece of a file as bytes, with the inode and size of the very file it was read from. Reads only,
// and starts no application. Request: path, offset, limit.
$request = json_decode((string) base64_decode($GLOBALS['backout_request']), true);
clearstatcache();
$file = is_file($request['path']) ? @fopen($request['path'], 'rb') : false;
$answer = ['exists' => file_exists($request['path']), 'readable' => $file !== false, 'inode' => 0, 'size' => 0, 'data' => ''];
if ($file !== false) {
    $stat = fstat($file);
    fseek($file, min($request['offset'], $stat['size']));
    $answer['inode'] = $stat['ino'];
    $answer['size'] = $stat['size'];
    $answer['data'] = base64_encode((string) stream_get_contents($file, $request['limit']));
}
echo "\nBACKOUT1:", json_encode(['piece' => $answer]), "\n";
