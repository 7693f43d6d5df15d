"""By what text the error pages of Laravel, PHP and their usual companions are known, whatever their HTTP status."""

from __future__ import annotations

from collections.abc import Mapping

ERROR_PAGES: Mapping[str, str] = {
    "<title>Server Error</title>": "Laravel's error page (Server Error)",
    "<title>Service Unavailable</title>": "Laravel's maintenance page (Service Unavailable)",
    "<title>Whoops! There was an error.</title>": "an error page of Whoops",
    "Whoops, looks like something went wrong": "an error page of Whoops",
    "window.ignite(": "an error page of Ignition",
    ".hljs-ln-line[data-line-number=": "Laravel's page of an exception",
    "Oops! An Error Occurred": "an error page of Symfony",
    "<b>Fatal error</b>:": "a fatal error of PHP",
    "<b>Parse error</b>:": "a parse error of PHP",
    "Fatal error: Uncaught": "a fatal error of PHP",
}
"""A text in the page, and which page that is.

*Source*: laravel/framework 8.83, `Foundation/Exceptions/views/500.blade.php` and `503.blade.php`; 11.x,
`Foundation/resources/exceptions/renderer/components/layout.blade.php`; filp/whoops 2, `PrettyPageHandler`; Laravel 5,
`errors/500`; facade/ignition and spatie/ignition, `errorPage`; symfony/error-handler 5, `error.html.php`; php.net, display_errors
and html_errors.
"""
