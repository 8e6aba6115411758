namespace PostTrain.Models;

/// <summary>The place of an update in its run.</summary>
/// <param name="Update">Number of the update that was made, from 1.</param>
/// <param name="Total">Updates of the whole run.</param>
/// <param name="LearningRate">Learning rate of the update.</param>
public readonly record struct UpdateMoment(long Update, long Total, double LearningRate);
