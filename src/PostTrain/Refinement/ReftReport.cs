using PostTrain.Training;

namespace PostTrain.Refinement;

/// <summary>A step of reinforced fine-tuning.</summary>
/// <param name="Stage">The stage; each counts its steps from 1.</param>
/// <param name="Step">The step's report, with the metrics of <see cref="Supervised.SftTrainer"/> or <see
/// cref="Policy.PpoTrainer"/>.</param>
public sealed record ReftReport(ReftStage Stage, StepReport Step);
