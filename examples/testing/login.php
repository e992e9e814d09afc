<?php
// Send a one-time code, then read it as a test does.
// Run: aioclicksend sandbox &  then  php login.php
declare(strict_types=1);

$url = getenv('CLICKSEND_BASE_URL') ?: 'http://127.0.0.1:8080';

function call(string $method, string $url, ?array $body = null, ?string $login = null): array
{
    $headers = ['Content-Type: application/json'];
    if ($login !== null) {
        $headers[] = 'Authorization: Basic ' . base64_encode($login);
    }
    $options = ['method' => $method, 'header' => $headers, 'timeout' => 10];
    if ($body !== null) {
        $options['content'] = json_encode($body, JSON_THROW_ON_ERROR);
    }
    $reply = file_get_contents($url, false, stream_context_create(['http' => $options]));
    return json_decode($reply, true, 512, JSON_THROW_ON_ERROR);
}

$message = ['to' => '+61412345678', 'body' => 'Your code is 482913'];
call('POST', "$url/v3/sms/send", ['messages' => [$message]], 'sandbox:sandbox');

$query = http_build_query(['to' => '+61412345678', 'wait' => 5]);
$messages = call('GET', "$url/_sandbox/messages?$query")['messages'];
$code = end($messages)['code'];
if ($code !== '482913') {
    fwrite(STDERR, "no code\n");
    exit(1);
}
echo "code: $code\n";
