using PostTrain.Training;

namespace PostTrain.Refinement;

/// <summary>A step of reinforcement learning from AI feedback.</summary>
/// <param name="Stage">The stage; each counts its steps from 1.</param>
/// <param name="Step">The step's report, with the metrics of <see cref="RewardModeling.RewardTrainer"/> or <see
/// cref="Policy.GrpoTrainer"/>; for a judged batch <c>feedback/pairs</c> (so far), <c>feedback/confidence</c> (mean label of the batch, ½
/// to 1), <c>feedback/same</c> and <c>feedback/without_verdict</c> (of the batch).</param>
public sealed record RlaifReport(RlaifStage Stage, StepReport Step);
