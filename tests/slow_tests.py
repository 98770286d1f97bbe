"""The tests that `bash scripts/run_tests.sh --quick` leaves out: about two seconds or more each on an idle core.

Nearly all of them compile networks, or use what others of them have compiled; some drive a browser. A new test may be
marked by `@pytest.mark.slow` where it stands instead.
"""

WHOLE_FILES = (
    "test_compat.py",
    "test_demo.py",
    "test_demo_pictures.py",
    "test_end_to_end.py",
    "test_export.py",
    "test_family_training.py",
    "test_family_use.py",
    "test_notebook.py",
    "test_pack_checkpoint.py",
    "test_page.py",
    "test_passes.py",
    "test_published_names.py",
    "test_quality.py",
)

TESTS = {
    "test_bad_input.py": ("test_a_mistake_is_one_line",),
    "test_bundled_styles.py": (
        "test_blends_lead_from_one_style_to_the_other",
        "test_a_style_named_without_a_checkpoint_is_one_of_them",
        "test_pastiches_have_the_colours_of_their_own_style_rather_than_of_the_others",
    ),
    "test_engines.py": (
        "test_bad_exported_files_are_named",
        "test_engine_agrees_with_mindspore",
        "test_parts_are_found_from_either_name",
        "test_stylize_runs_on_onnx_runtime_without_mindspore",
        "test_stylizer_gives_the_same_picture_on_onnx_runtime",
    ),
    "test_eval.py": (
        "test_as_a_user_calls_it",
        "test_deterministic",
        "test_extreme_contents_and_styles",
        "test_figures_and_summary_with_the_distilled_network",
        "test_interpolation_strips",
        "test_own_size_without_loss_network",
        "test_shards_together_give_the_figures_of_the_whole",
    ),
    "test_eval_optimize.py": ("test_the_optimisation_is_evaluated_as_a_model",),
    "test_eval_pictures.py": ("test_pictures_of_another_program_get_the_figures_of_a_model",),
    "test_export_refused.py": (
        "test_a_full_disk_leaves_nothing",
        "test_a_graph_that_differs_is_not_kept",
        "test_existing_files_stay_unless_overwrite",
    ),
    "test_flat.py": ("test_the_constant_is_the_last_offset_through_the_last_activation",),
    "test_gatys.py": (
        "test_a_resumed_run_gives_the_picture_of_an_uninterrupted_one",
        "test_a_step_is_compiled_once_for_all_iterations_and_contents_of_a_size",
        "test_a_term_without_weight_is_not_lowered",
        "test_an_option_changes_the_pastiche",
        "test_blend_weights_of_several_styles",
        "test_half_precision_needs_adam",
        "test_lbfgs_lowers_the_loss_faster_than_adam",
        "test_levels_go_from_coarse_to_fine",
        "test_pooling",
    ),
    "test_johnson.py": ("test_a_converted_network_computes_what_its_definition_does",),
    "test_launch.py": ("test_ranks_train_as_one_process_with_all_their_batches",),
    "test_models.py": (
        "test_convolution_of_a_repeated_picture_is_that",
        "test_each_image_of_a_batch_keeps_its_own_style",
        "test_pastiche_has_the_content_s_size_and_range",
    ),
    "test_quantize.py": ("test_an_eight_bit_pair_is_smaller_and_near",),
    "test_samples.py": ("test_the_same_seed_draws_the_picture_that_is_shipped",),
    "test_signals.py": ("test_a_signal_ends_a_program_with_a_line_and_nothing_half_written",),
    "test_sink.py": ("test_sink_mode_trains_as_without", "test_the_host_waits_for_the_device_at_log_lines_only"),
    "test_style_crops.py": ("test_a_step_compares_with_what_it_compares_with_otherwise",),
    "test_stylize.py": ("test_as_a_user_calls_it",),
    "test_stylize_optimize.py": (
        "test_a_checkpoint_of_other_options_is_refused",
        "test_a_stopped_run_goes_on_from_its_last_checkpoint",
        "test_curves_of_the_losses",
        "test_size_several_styles_and_a_folder",
        "test_without_its_state_it_goes_on_from_the_picture",
    ),
    "test_tiles.py": (
        "test_a_pixel_reaches_as_far_as_the_tiles_overlap",
        "test_contents_that_do_not_fit_into_the_free_memory_are_tiled",
        "test_engine_tiles_as_mindspore_does",
        "test_large_contents_are_tiled",
        "test_tile_on_the_command_line",
        "test_tiled_is_as_untiled",
        "test_tiles_join_without_a_seam",
        "test_tiles_run_without_mindspore",
    ),
    "test_training.py": (
        "test_a_float16_step_with_clipping_is_nearly_float32s",
        "test_a_killed_and_resumed_run_gives_the_same_losses",
        "test_average_follows_the_weights",
        "test_ctrl_c_saves_and_exits",
        "test_losses_fall_and_the_checkpoint_carries_its_options",
        "test_nan_stops_with_step_and_files",
    ),
    "test_training_starts.py": (
        "test_distillation_brings_the_student_to_the_teacher",
        "test_frozen_parts_stay_as_they_were",
    ),
    "test_video_runs.py": (
        "test_a_killed_run_goes_on_and_everything_is_kept",
        "test_damaged_segments_are_made_anew",
    ),
    "test_weights.py": (
        "test_unit_activations_are_those_of_the_photographs",
        "test_weights_of_any_scale_give_the_same_features",
    ),
}


def is_slow(file, function) -> bool:
    """Whether the test function of a file, by their names without folder and parameters, is one of these."""
    return file in WHOLE_FILES or function in TESTS.get(file, ())
