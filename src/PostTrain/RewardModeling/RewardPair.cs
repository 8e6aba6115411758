namespace PostTrain.RewardModeling;

/// <summary>A preference pair as token ids, by how much its rewards are to differ, and how likely the chosen one is the better.</summary>
internal readonly record struct RewardPair(int[] Chosen, int[] Rejected, double Margin = 0, double Probability = 1);
