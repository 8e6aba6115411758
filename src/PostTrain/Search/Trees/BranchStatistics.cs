namespace PostTrain.Search;

/// <summary>The statistics of a tree's branch for a selection rule.</summary>
/// <param name="Value">Q, its backed-up value.</param>
/// <param name="Visits">n, simulations through it, those under way included; at least 1.</param>
/// <param name="ParentVisits">N, simulations through its parent, those under way included.</param>
/// <param name="Prior">P, its share of the generator's probability among its siblings; equal shares where the generator gives none.</param>
public readonly record struct BranchStatistics(double Value, int Visits, int ParentVisits, double Prior);
