using V = System.Runtime.Intrinsics.Vector256<double>;

namespace PostTrain.Operators;

/// <summary>The inputs and the result of the loss of four pairs.</summary>
internal struct PairLanes
{
    /// <summary>β in every lane.</summary>
    internal V Beta;

    /// <summary>log π of the chosen completions.</summary>
    internal V ChosenLogProbs;

    /// <summary>D_w and D_l.</summary>
    internal V ChosenRatios,
        RejectedRatios;

    /// <summary>s_w and s_l.</summary>
    internal V Chosen,
        Rejected;

    /// <summary>|y_w| and |y_l|, at least 1.</summary>
    internal V ChosenLengths,
        RejectedLengths;

    /// <summary>B/Σ|y_w|, in every lane.</summary>
    internal V TokenShare;

    /// <summary>The loss.</summary>
    internal V Loss;

    /// <summary>∂loss/∂s_w and ∂loss/∂s_l.</summary>
    internal V ChosenSlope,
        RejectedSlope;

    /// <summary>∂loss/∂ log π(y_w) and of the rejected one, beside what goes through the scores.</summary>
    internal V ChosenDirect,
        RejectedDirect;
}
