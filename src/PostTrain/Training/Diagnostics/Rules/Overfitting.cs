namespace PostTrain.Training.Diagnostics;

/// <summary>The loss on the training data falls while the loss on held-out data rises.</summary>
public sealed record Overfitting : HeldOutGap
{
    /// <inheritdoc/>
    public override string Name => "overfitting";

    /// <inheritdoc/>
    public override string Advice =>
        "The model is memorising the training examples. Keep the checkpoint of the best evaluation (Checkpoint.Best), stop early "
        + "(Evaluation.Patience), train for fewer passes or on more data, add weight decay, or train fewer parameters.";

    private protected override string Training => "loss";

    private protected override string HeldOutMetric => "eval/loss";

    private protected override double Sign => -1;
}
