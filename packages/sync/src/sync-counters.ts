/** What happened on all sessions of a replica. Nothing is dropped without one of these moving. */
export interface SyncCounters {
  framesReceived: number;
  framesSent: number;
  bytesReceived: number;
  bytesSent: number;
  framesIgnored: number;
  framesRefused: number;
  envelopesReceived: number;
  envelopesStored: number;
  envelopesSent: number;
  duplicates: number;
  gaps: number;
  incomplete: number;
  /** Runs of devices that may not write them. */
  runsForbidden: number;
  signaturesBad: number;
  unsigned: number;
  /** Runs that left out what they follow, which is not known here: asked for in full. */
  runsUnplaced: number;
  forks: number;
  /** Envelopes of the branches that are not in the log here, kept as proof. */
  forkEnvelopesKept: number;
  acksUnproven: number;
  /** CURSOR and MARK that are not what their check says. */
  feedPositionsDamaged: number;
  /** NAKs that are not what their check says: nothing is given up for one. */
  naksDamaged: number;
  positionsAsked: number;
  partsDropped: number;
  /** Times that a document was to be exchanged and the store could not read it. */
  documentsUnreadable: number;
  /** Times that a peer opened a document that is new here and was to bring no more of such now. */
  documentsPutOff: number;
  /** Cursors of stores beyond `cursorsMax`, not kept. */
  cursorsDropped: number;
  refsUnknown: number;
  refsForgotten: number;
  ephemeralsSent: number;
  ephemeralsReceived: number;
  ephemeralDropped: number;
  acksForgotten: number;
  lanesRefused: number;
  digestsCompared: number;
  drifts: number;
  /** Positions that were said in place of pushing what lies there, and heard. */
  announcesSent: number;
  announcesReceived: number;
  /** Times that a peer was asked to hold back what others push, to push everything, and to push a lane. */
  holdsAsked: number;
  feedsAsked: number;
  lanesPulled: number;
  /** Runs that waited for what was announced before them; and those that did so in vain. */
  runsHeld: number;
  runsHeldInVain: number;
  /** Comparisons of libraries that ended with both having the same, and the others. */
  librariesAgreed: number;
  librariesDiffered: number;
  /** Comparisons to which no answer came. */
  librariesLost: number;
  /** LIBRARYs that are not what their check says. */
  librariesDamaged: number;
  /** Places that a peer made us put off to the next comparison. */
  libraryPlacesDropped: number;
  /** Times that a document was not offered to a peer that may not have it, or not given when it asked. */
  documentsWithheld: number;
  /** Documents that a peer does not exchange with us, by session. */
  documentsRefused: number;
  /** Documents that nothing came of for a while, and that a session gave up until it does. */
  documentsRested: number;
  checkpointsOffered: number;
  checkpointsAdopted: number;
  checkpointsRefused: number;
  checkpointChunksSent: number;
  checkpointChunksDropped: number;
}

export function newSyncCounters(): SyncCounters {
  return {
    framesReceived: 0,
    framesSent: 0,
    bytesReceived: 0,
    bytesSent: 0,
    framesIgnored: 0,
    framesRefused: 0,
    envelopesReceived: 0,
    envelopesStored: 0,
    envelopesSent: 0,
    duplicates: 0,
    gaps: 0,
    incomplete: 0,
    runsForbidden: 0,
    signaturesBad: 0,
    unsigned: 0,
    runsUnplaced: 0,
    forks: 0,
    forkEnvelopesKept: 0,
    acksUnproven: 0,
    feedPositionsDamaged: 0,
    naksDamaged: 0,
    positionsAsked: 0,
    partsDropped: 0,
    documentsUnreadable: 0,
    documentsPutOff: 0,
    cursorsDropped: 0,
    refsUnknown: 0,
    refsForgotten: 0,
    ephemeralsSent: 0,
    ephemeralsReceived: 0,
    ephemeralDropped: 0,
    acksForgotten: 0,
    lanesRefused: 0,
    digestsCompared: 0,
    drifts: 0,
    announcesSent: 0,
    announcesReceived: 0,
    holdsAsked: 0,
    feedsAsked: 0,
    lanesPulled: 0,
    runsHeld: 0,
    runsHeldInVain: 0,
    librariesAgreed: 0,
    librariesDiffered: 0,
    librariesLost: 0,
    librariesDamaged: 0,
    libraryPlacesDropped: 0,
    documentsWithheld: 0,
    documentsRefused: 0,
    documentsRested: 0,
    checkpointsOffered: 0,
    checkpointsAdopted: 0,
    checkpointsRefused: 0,
    checkpointChunksSent: 0,
    checkpointChunksDropped: 0,
  };
}
