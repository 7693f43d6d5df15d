-- The structure of the album from the days in which it ran on MySQL. It holds no rows.
CREATE TABLE `photos` (
  `id` bigint unsigned NOT NULL AUTO_INCREMENT,
  `user_id` bigint unsigned NOT NULL,
  `filename` varchar(255) NOT NULL,
  `caption` text,
  `created_at` timestamp NULL DEFAULT NULL,
  `updated_at` timestamp NULL DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `photos_filename_unique` (`filename`)
);
INSERT INTO `migrations` VALUES (1,'2024_01_10_080000_create_users_table',1);
-- Dump completed on 2024-06-01  3:00:01
