namespace PostTrain.RewardModeling;

/// <summary>A preference pair as token ids, and by how much its rewards are to differ.</summary>
internal readonly record struct RewardPair(int[] Chosen, int[] Rejected, double Margin = 0);
