<?php

namespace App\Models;

use Illuminate\Database\Eloquent\Model;

class Comment extends Model
{
    protected $guarded = [];

    public function photo()
    {
        return $this->belongsTo(Photo::class);
    }
}
