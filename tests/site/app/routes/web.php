<?php

use App\Http\Controllers\PhotoController;
use Illuminate\Support\Facades\Route;

Route::get('/', [PhotoController::class, 'index']);
Route::post('/photos', [PhotoController::class, 'store']);
Route::get('/photos/{photo}', [PhotoController::class, 'show']);
Route::patch('/photos/{photo}', [PhotoController::class, 'update']);
Route::delete('/photos/{photo}', [PhotoController::class, 'destroy']);
Route::post('/photos/{photo}/comments', [PhotoController::class, 'comment']);
