using PostTrain.Training;

namespace PostTrain.Refinement;

/// <summary>A step of reinforced fine-tuning.</summary>
/// <param name="Stage">Which stage; each counts its steps from 1.</param>
/// <param name="Step">What the step did; the metrics of <see cref="Supervised.SftTrainer"/> or <see cref="Policy.PpoTrainer"/>.</param>
public sealed record ReftReport(ReftStage Stage, StepReport Step);
